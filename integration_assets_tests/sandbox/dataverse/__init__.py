"""The CRM of the sandbox, behaviour by behaviour, over real HTTP."""
