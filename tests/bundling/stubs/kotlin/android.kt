package android.content

import android.content.pm.ApplicationInfo
import android.content.res.AssetManager

class Context {
    val assets = AssetManager()
    val applicationInfo = ApplicationInfo()
}
