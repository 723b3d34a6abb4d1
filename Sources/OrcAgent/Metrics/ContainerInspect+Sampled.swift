import OrcDocker
import OrcMetrics

extension ContainerInspect {
    /// Nil where no process of it is known.
    var sampled: CgroupSampler.Container? {
        guard let process = state.processID, process > 0 else { return nil }
        let mode = hostConfig.networkMode ?? ""
        let hasOwnNetwork = mode != "host" && !mode.hasPrefix("container:") && !mode.hasPrefix("ns:")
        return CgroupSampler.Container(id: id, process: process, hasOwnNetwork: hasOwnNetwork)
    }
}
