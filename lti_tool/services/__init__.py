"""One module per journey. Services own transactions; they hand frozen views to the web and the CLI."""
