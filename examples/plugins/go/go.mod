module line-stats-go

go 1.25

require github.com/trackside/trackside/plugins/sdk-go v0.0.0

replace github.com/trackside/trackside/plugins/sdk-go => ../../../plugins/sdk-go
