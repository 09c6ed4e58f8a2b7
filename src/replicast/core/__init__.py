"""What replicast decides, as pure values and functions: no file, network, clock or process is touched here."""
