"""What is learned by gradients, on a CPU: the only room beside `encode` that knows torch."""
