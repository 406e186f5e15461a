"""What Yieldwire costs, compared with its peers and the limits of the machine; see README.md."""
