"""Variational inpainting: the diffusion methods that the FD-StackGAN paper names, each by its own equations."""
