"""Commands that people and playbooks run in the container: import, yank, give-back, trash, prune, list."""
