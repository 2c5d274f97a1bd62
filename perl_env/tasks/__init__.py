"""One file per task family or data set: load it, say its order class."""
