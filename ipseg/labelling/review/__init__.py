"""Review of labels: a report, corrections that are saved, and what corrections are good for, measured."""
