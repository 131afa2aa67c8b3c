"""Word vectors to results: numpy and SIMD kernels, no torch. One file per analysis."""
