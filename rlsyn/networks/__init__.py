"""Networks that say of every attribute of a record, given those before, how likely each level is."""
