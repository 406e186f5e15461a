"""What Yieldwire costs, beside its peers and the limits of the machine; README.md says how."""
