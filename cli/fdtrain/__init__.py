"""The commands of `fdtrain`, a module each. No command imports another."""
