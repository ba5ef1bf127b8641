"""What the function app is made of besides its triggers: rules, storage, protocol, mail, identity."""
