MEANT = {}
