package android.content.pm

class ApplicationInfo {
    var flags = FLAG_DEBUGGABLE

    companion object {
        const val FLAG_DEBUGGABLE = 2
    }
}
