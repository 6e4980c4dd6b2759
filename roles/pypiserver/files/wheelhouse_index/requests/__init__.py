"""What NGINX passes on: forms, who may send them, and what becomes of them."""
