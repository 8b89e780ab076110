"""How long an exchange with a broker may take: known without loading the client."""

# For each answer.
TIMEOUT_S = 10.0
