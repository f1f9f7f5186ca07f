"""Files of agents: their modules, and the agents in them."""
