"""`fieldpost broker`: a broker for a bench, which boards reach over the network."""
