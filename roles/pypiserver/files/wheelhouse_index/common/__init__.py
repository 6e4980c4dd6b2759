"""What every other part needs: small files that outlast a loss of power, moments, answers in one line."""
