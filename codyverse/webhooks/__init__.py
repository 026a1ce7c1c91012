"""Webhooks: what happened to learners, told to other people's servers."""
