"""The paper: CENet, PRNet and their cascade."""
