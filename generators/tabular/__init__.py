"""`tabular`: a Gaussian copula of tables of loan applicants."""
