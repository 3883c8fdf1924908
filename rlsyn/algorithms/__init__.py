"""The algorithms that can train on records: what each is, and what it needs to be made, run, sampled and saved."""
