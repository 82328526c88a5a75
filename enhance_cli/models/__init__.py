"""The paper: CENet, PRNet with its non-local block, and the cascade of the two."""
