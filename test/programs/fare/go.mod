module example.com/acme/fare

go 1.22
