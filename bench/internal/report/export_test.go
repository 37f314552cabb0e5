package report

var (
	CPUModel  = cpuModel
	MountType = mountType
)
