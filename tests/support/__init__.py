"""What tests share: packages made in memory, and the clients that people use."""
