"""The method of the paper (Fig. 3), one step per file."""
