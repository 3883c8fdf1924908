"""One search of hyper-parameters for every method."""
