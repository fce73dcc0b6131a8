"""The lab's sites, one kind of site a module. A module is found by being here, and has `build(plan: Plan) -> None`."""
