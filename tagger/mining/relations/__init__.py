"""Which prior relations the annotations suggest: counted, tested, checked against what is known, put forward."""
