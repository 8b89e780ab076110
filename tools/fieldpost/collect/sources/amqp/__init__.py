"""Reading from RabbitMQ: its connection, its queue, and what of that loses readings."""
