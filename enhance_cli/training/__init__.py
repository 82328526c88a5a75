"""Training: trainer, stages, losses, optimizer, checkpoints, several processes, ablation."""
