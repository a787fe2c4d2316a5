"""The demo: one file per tab. No method code lives here."""
