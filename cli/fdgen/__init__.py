"""The commands of `fdgen`, a module each. No command imports another."""
