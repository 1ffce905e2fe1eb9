"""The words that every other part uses: errors, results, contracts, statistics."""
