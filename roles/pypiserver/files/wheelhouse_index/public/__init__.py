"""Public projects from other indexes: which are let through, what their pages say here, and the only way to ask upstream."""
