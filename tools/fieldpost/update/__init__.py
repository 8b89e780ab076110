"""Updates over the air, from this computer: offers, the pieces that nodes ask for, stages."""
