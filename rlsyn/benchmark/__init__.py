"""A benchmark: cells of methods, tables and seeds, what came of them as tables and figures, ablations, trade-offs."""
