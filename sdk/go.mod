module github.com/toksta/toksta/sdk

go 1.24.0
