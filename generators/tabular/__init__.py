"""Tables of loan applicants by a Gaussian copula."""
