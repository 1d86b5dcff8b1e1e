module github.com/trackside/trackside/plugins/sdk-go

go 1.25
