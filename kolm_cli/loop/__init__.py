"""The loop: compile what is new, promote what is better, and keep a journal of both."""
