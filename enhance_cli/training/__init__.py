"""How a network learns: trainer, stages, losses, optimizer, checkpoints, several processes."""
