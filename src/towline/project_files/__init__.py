"""The project file between the contract and the actions: read into a wanted state, written from a present one."""
