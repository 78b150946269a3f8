"""Four public-domain portraits in CelebA's frame; `SOURCES.md` says where they come from."""
