"""How good weights, or other systems' results, are on held-out pairs."""
