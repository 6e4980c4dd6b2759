"""Commands that people and playbooks run in the container: import, yank, list."""
