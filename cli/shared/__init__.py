"""What commands share: options, output, progress, errors, lazy groups. Never a command."""
